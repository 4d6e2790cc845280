"""How schemathesis sends content that is octets and not text."""
import schemathesis


@schemathesis.serializer("application/dns-message")
def dns_message(context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
