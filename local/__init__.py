"""What runs on your own machine in place of the clouds: the embedded AWS and the simulated VideoSDK."""
