"""What the pages of the console and of the back office share; knows no page."""
