"""Tables of files and of drivers, read into rows: formats, columns, times, and where secrets stand."""
