"""The simulated VideoSDK is held to what is known of the real one."""
