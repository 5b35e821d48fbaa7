"""What one sees of an agent: sections of the report and of the explanation page, films."""
