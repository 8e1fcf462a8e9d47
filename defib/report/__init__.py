"""Reports: a timeline or a drill in, documents out. Pure but for :mod:`defib.report.write`.

``figures`` is the stable object behind ``--json``. ``run_page`` and ``drill_page`` say once what a report says; ``as_html``,
``as_markdown`` and ``as_json`` set it. ``words`` are the words for figures, the same on the terminal.
"""
