"""Vercel and Netlify in the lab: their APIs with state, and the edges that serve what is deployed there."""
