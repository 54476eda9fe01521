"""The main job on the embedded stack: a simulated meeting is recorded, delivered, processed and shown."""
