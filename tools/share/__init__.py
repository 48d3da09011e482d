"""Makes what a package puts into `share/` beside the programs: manual pages, and completions for shells."""
