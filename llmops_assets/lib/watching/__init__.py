"""What happens in production: drift and its trigger, KPIs, costs."""
