"""Chooses a checker for each VIP."""

from __future__ import annotations

from maglev_tester.probes.checkers import HttpChecker, TcpChecker, VipChecker, tls_context
from maglev_tester.probes.keepalive import KeepaliveChecker
from maglev_tester.settings import ProbeSettings
from maglev_tester.vips import Kind


def checkers_of(settings: ProbeSettings) -> tuple[VipChecker, ...]:
    """Make a checker for each VIP, in their order."""
    http = KeepaliveChecker if settings.keepalive else HttpChecker
    secure = tls_context(settings) if any(vip.kind is Kind.HTTPS for vip in settings.vips) else None
    return tuple(
        TcpChecker(vip) if vip.kind is Kind.TCP else http(vip, settings, secure if vip.kind is Kind.HTTPS else None)
        for vip in settings.vips
    )
