"""Owns how clients of tests speak plain HTTP. Must not know whom they speak to.

A client reads the certificates of all the world's authorities when it is made: 20 ms, and tests make
thousands that never meet TLS.
"""

import ssl
from typing import Final

PLAIN: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What they take for `verify`. It trusts no authority: a server with TLS would be refused."""
