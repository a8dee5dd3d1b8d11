"""What one sees: notebook set-up, figures, HTML, widgets."""
