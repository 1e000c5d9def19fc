"""Energy of sites as it is stored: Tesla's history, intervals, hours, days, batteries, origins."""
