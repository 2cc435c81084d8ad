"""Protocol grammars: pure parsing, mapping and counting, without any I/O."""
