"""The TLS contexts of checkers, of which equal options share one."""

from __future__ import annotations

import hashlib
import os
import ssl
import stat
import threading
import warnings
from collections.abc import Hashable
from weakref import WeakValueDictionary

from maglev.tls_options import OLD_VERSIONS, TlsOptions

_VERSIONS = {
    # This one needs no exception from the ssl module's warnings, and SSL 3 is always off.
    "TLSv1.0": ssl.TLSVersion.MINIMUM_SUPPORTED,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_OP_LEGACY_SERVER_CONNECT = 0x4
"""`SSL_OP_LEGACY_SERVER_CONNECT`: to speak with servers that know nothing of RFC 5746. Python names it since 3.12."""

_contexts: WeakValueDictionary[Hashable, ssl.SSLContext] = WeakValueDictionary()
_one_at_a_time = threading.Lock()


def client_context(options: TlsOptions, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """The context for these options: the one that is in use already, or a new one.

    A context with the system's authorities takes 20 ms and 900 KB, so all who want an equal one share it; nobody may
    change it. Equal are those with the same options and the same *contents* of files: after a file was replaced
    there is another. A context goes with the last that holds it.

    Reads files: for a thread that may block, as that in which the core builds checkers.

    Args:
        options: Those of a checker.
        alpn: Protocols to offer by ALPN; without any the extension is not sent.

    Raises:
        ValueError: A file cannot be used; the message names the option.
    """
    with _one_at_a_time:
        key = _identity(options, alpn)
        context = _contexts.get(key)
        if context is None:
            context = _make(options, alpn)
            if _identity(options, alpn) == key:  # else a file was replaced meanwhile: it is not known which was read
                _contexts[key] = context
    return context


def contexts_in_use() -> int:
    """Return the number of contexts in use."""
    return len(_contexts)


def _identity(options: TlsOptions, alpn: tuple[str, ...]) -> Hashable:
    """Return a key that is equal for options that can share a context."""
    trusted: Hashable = None
    if not options.insecure_skip_verify:
        trusted = _digest("ca-file", options.ca_file) if options.ca_file else _system_store()
    shown = tuple(_digest("certificate and key in", path) for path in (options.certificate, options.key) if path)
    return trusted, shown, options.ciphers, options.security_level, options.min_tls_version, alpn


def _digest(what: str, path: str) -> bytes:
    try:
        # Opened without waiting: a FIFO would wait for its other end, for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123  (a descriptor)
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"{what} {path} cannot be used: it is not a regular file")
            return hashlib.sha256(file.read()).digest()
    except OSError as error:
        raise _unusable(what, path, error) from error


def _system_store() -> Hashable:
    # By what the file system says of them: certificates of the system are replaced as a whole, and there are many.
    paths = ssl.get_default_verify_paths()
    return tuple(_file_identity(path) for path in (paths.cafile, paths.capath) if path)


def _file_identity(path: str) -> Hashable:
    try:
        found = os.stat(path)  # noqa: PTH116  (it may be a directory as well)
    except OSError:  # gone since it was looked for
        return path
    return path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _make(options: TlsOptions, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.post_handshake_auth = True  # some servers ask for a certificate once they know what is asked for
    _set_strength(context, options)
    _load_trusted(context, options)
    if options.certificate:
        _load_certificate(context, options)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _set_strength(context: ssl.SSLContext, options: TlsOptions) -> None:
    with warnings.catch_warnings():
        # Whoever names an old version knows that it is old.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[options.min_tls_version]
    level = options.security_level
    ciphers = options.ciphers
    if options.min_tls_version in OLD_VERSIONS and not ciphers:
        ciphers = "DEFAULT"  # Python's choice has none that the old versions know
    if level is None and not ciphers:
        return
    if not ciphers:
        ciphers = ":".join(cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3")
    context.set_ciphers(ciphers if level is None else f"{ciphers}:@SECLEVEL={level}")
    if level == 0:
        context.options |= _OP_LEGACY_SERVER_CONNECT


def _load_trusted(context: ssl.SSLContext, options: TlsOptions) -> None:
    if options.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return
    if not options.ca_file:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(options.ca_file)
    except OSError as error:
        raise _unusable("ca-file", options.ca_file, error) from error


def _load_certificate(context: ssl.SSLContext, options: TlsOptions) -> None:
    try:
        context.load_cert_chain(options.certificate, options.key or None, password=_no_password)
    except OSError as error:
        files = " and ".join(filter(None, (options.certificate, options.key)))
        raise _unusable("certificate and key in", files, error) from error


def _no_password() -> str:
    # Without this OpenSSL would ask the terminal, and wait.
    raise ValueError("the key is encrypted: wanted one without a passphrase")


def _unusable(what: str, files: str, error: OSError) -> ValueError:
    why = getattr(error, "reason", None) or error.strerror or str(error)
    return ValueError(f"{what} {files} cannot be used: {why}")
