"""Those who look at the lab's public name from elsewhere: UptimeRobot, Pingdom, and users whose sessions Sentry counts."""
