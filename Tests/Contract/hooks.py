"""How schemathesis sends content that is octets and not text."""
import schemathesis


@schemathesis.serializer("application/dns-message", "application/x-bittorrent")
def octets(context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
