"""Looks at the files that TLS as a client needs, and says in words what is wrong with them.

gRPC takes anything, and says "Failed to create security handshaker" with the first call.
"""

from __future__ import annotations

import ssl

from maglev_grpc.security import Security


def check(security: Security) -> None:
    """Look at the certificates and the key; blocks.

    Raises:
        ValueError: One cannot be used. The message names the file, and says why.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in (security.ca, security.cert):
        if path is not None:
            try:
                context.load_verify_locations(path)
            except ssl.SSLError as error:
                raise ValueError(f"{path}: contains no certificate") from error
            except OSError as error:
                raise ValueError(f"{path}: {error.strerror}") from error
    if security.cert is not None and security.key is not None:
        try:
            context.load_cert_chain(security.cert, security.key, password=_no_password)
        except _EncryptedError as error:
            raise ValueError(f"{security.key}: the key is encrypted; use one without a passphrase") from error
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ValueError(f"{security.key} is not the key of {security.cert}") from error
            raise ValueError(f"{security.key}: contains no private key") from error
        except OSError as error:
            raise ValueError(f"{security.key}: {error.strerror}") from error


class _EncryptedError(Exception):
    pass


def _no_password() -> str:
    # Without this OpenSSL would ask the terminal, and wait.
    raise _EncryptedError
