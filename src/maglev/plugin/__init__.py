"""Plugins: how they register (`hookimpl`), and what is installed (`PluginManager`)."""

from maglev.plugin.manager import PluginInfo, PluginManager, PluginProblem
from maglev.plugin.spec import hookimpl

__all__ = ["PluginInfo", "PluginManager", "PluginProblem", "hookimpl"]
