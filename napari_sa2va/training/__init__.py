"""Fine-tuning, and the script that made the demo checkpoint."""
