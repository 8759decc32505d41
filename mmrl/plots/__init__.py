"""Drawing: characters and pixels, charts, figures, SVG."""
