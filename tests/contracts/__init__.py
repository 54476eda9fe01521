"""What each port promises, held by its fake and by its adapter."""
