// MailWire
