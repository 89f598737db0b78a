"""What a reader sees: text, HTML, the widget, pages."""
