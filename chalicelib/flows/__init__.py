"""What happens: one module per journey. Read, ask the core, write down, act."""
