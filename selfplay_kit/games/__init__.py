"""What is played: rules, positions and text; knows no model."""
