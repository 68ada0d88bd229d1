"""Commands of the runtime: serve, doctor, bench. Each module is light to import; the work is imported when it runs."""
