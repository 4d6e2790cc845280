import SQL

/// The tables. A landed migration is never edited: a change is a new one.
enum Schema {
  static let migrations = [
    Migration(
      1,
      """
      CREATE TABLE domain (name TEXT PRIMARY KEY, created_at BIGINT NOT NULL);
      CREATE TABLE mailbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,          -- the address in lower case
        address TEXT NOT NULL,
        domain TEXT NOT NULL,
        secret TEXT NOT NULL,              -- the hashed password; empty opens for nobody
        created_at BIGINT NOT NULL,
        revision BIGINT NOT NULL DEFAULT 1);
      CREATE INDEX mailbox_domain ON mailbox (domain);
      CREATE TABLE folder (
        id INTEGER PRIMARY KEY AUTOINCREMENT,   -- also its UIDVALIDITY
        mailbox BIGINT NOT NULL REFERENCES mailbox (id),
        name TEXT NOT NULL,
        uid_next BIGINT NOT NULL DEFAULT 1,
        UNIQUE (mailbox, name));
      CREATE TABLE body (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        size BIGINT NOT NULL,
        content BLOB,                      -- one of these two is NULL
        file TEXT);
      CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mailbox BIGINT NOT NULL,
        folder BIGINT NOT NULL,
        uid BIGINT NOT NULL,
        flags BIGINT NOT NULL,
        body BIGINT NOT NULL,
        size BIGINT NOT NULL,              -- with the Return-Path line
        return_path TEXT,                  -- NULL where it was not delivered but put here
        recipients TEXT NOT NULL,          -- one a line
        received_at BIGINT NOT NULL,
        revision BIGINT NOT NULL DEFAULT 1,
        sender TEXT NOT NULL, receiver TEXT NOT NULL, subject TEXT NOT NULL, sent_at BIGINT,
        message_id TEXT NOT NULL, attachments BIGINT NOT NULL, text TEXT NOT NULL,
        sender_key TEXT NOT NULL, receiver_key TEXT NOT NULL, subject_key TEXT NOT NULL);
      CREATE INDEX message_folder ON message (folder, uid);
      CREATE INDEX message_mailbox ON message (mailbox, id);
      CREATE INDEX message_body ON message (body);
      CREATE TABLE letter (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        sender TEXT NOT NULL,
        body BIGINT,                       -- NULL once it is finished
        size BIGINT NOT NULL,
        subject TEXT NOT NULL,
        utf8 BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        state TEXT NOT NULL);
      CREATE INDEX letter_body ON letter (body);
      CREATE INDEX letter_state ON letter (state, id);
      CREATE TABLE recipient (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        letter BIGINT NOT NULL,
        address TEXT NOT NULL,
        domain TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts BIGINT NOT NULL DEFAULT 0,
        next_attempt BIGINT,
        reply TEXT,
        host TEXT);
      CREATE INDEX recipient_letter ON recipient (letter);
      CREATE INDEX recipient_time ON recipient (next_attempt) WHERE state = 'waiting';
      CREATE INDEX recipient_domain ON recipient (domain, next_attempt) WHERE state = 'waiting';
      CREATE TABLE attempt (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        letter BIGINT NOT NULL,
        at BIGINT NOT NULL,
        host TEXT NOT NULL,
        address TEXT NOT NULL,
        outcome TEXT NOT NULL,
        recipients TEXT NOT NULL,
        dialogue TEXT NOT NULL);
      CREATE INDEX attempt_letter ON attempt (letter);
      -- Where catch mode keeps everything; its number is fixed.
      INSERT INTO mailbox (id, key, address, domain, secret, created_at) VALUES (1, '*', '*', '*', '', 0);
      INSERT INTO folder (mailbox, name) VALUES (1, 'INBOX');
      """),
    // Search looks at the text without case, beyond ASCII too, as it does at the other keys. SQLite's lower() knows ASCII only:
    // in letters from before this, a word with a capital beyond it (É) is not found.
    Migration(
      2,
      """
      ALTER TABLE message ADD COLUMN text_key TEXT NOT NULL DEFAULT '';
      UPDATE message SET text_key = lower(text);
      """),
    // What is in a mailbox and in the queue is counted, so that a bound costs one look; whatever puts in or takes out, the
    // triggers count it.
    Migration(
      3,
      """
      CREATE TABLE ledger (                -- one row
        epoch BIGINT NOT NULL,             -- grows with each reset, after which numbers begin anew
        letters BIGINT NOT NULL,           -- waiting in the queue
        octets BIGINT NOT NULL);           -- of those
      INSERT INTO ledger SELECT 1, COUNT(*), COALESCE(SUM(size), 0) FROM letter WHERE state = 'waiting';
      ALTER TABLE letter ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
      ALTER TABLE mailbox ADD COLUMN messages BIGINT NOT NULL DEFAULT 0;
      ALTER TABLE mailbox ADD COLUMN octets BIGINT NOT NULL DEFAULT 0;
      UPDATE mailbox SET messages = (SELECT COUNT(*) FROM message WHERE message.mailbox = mailbox.id),
        octets = (SELECT COALESCE(SUM(size), 0) FROM message WHERE message.mailbox = mailbox.id);
      CREATE TRIGGER message_in AFTER INSERT ON message BEGIN
        UPDATE mailbox SET messages = messages + 1, octets = octets + NEW.size WHERE id = NEW.mailbox;
      END;
      CREATE TRIGGER message_anew AFTER UPDATE OF size ON message BEGIN
        UPDATE mailbox SET octets = octets + NEW.size - OLD.size WHERE id = NEW.mailbox;
      END;
      CREATE TRIGGER message_out AFTER DELETE ON message BEGIN
        UPDATE mailbox SET messages = messages - 1, octets = octets - OLD.size WHERE id = OLD.mailbox;
      END;
      CREATE TRIGGER letter_in AFTER INSERT ON letter WHEN NEW.state = 'waiting' BEGIN
        UPDATE ledger SET letters = letters + 1, octets = octets + NEW.size;
      END;
      CREATE TRIGGER letter_done AFTER UPDATE OF state ON letter WHEN OLD.state = 'waiting' AND NEW.state <> 'waiting' BEGIN
        UPDATE ledger SET letters = letters - 1, octets = octets - OLD.size;
      END;
      CREATE TRIGGER letter_out AFTER DELETE ON letter WHEN OLD.state = 'waiting' BEGIN
        UPDATE ledger SET letters = letters - 1, octets = octets - OLD.size;
      END;
      """),
  ]
}
