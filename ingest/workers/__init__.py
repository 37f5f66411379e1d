"""Workers: this process, processes around one device, or a Ray cluster."""
