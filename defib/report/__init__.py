"""Reports: a timeline or a drill in, Markdown, HTML and JSON out. Pure but for :mod:`defib.report.write`."""
