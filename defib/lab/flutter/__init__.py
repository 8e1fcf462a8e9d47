"""A Flutter web project, and a stand-in for Flutter's toolchain that really makes the site of its sources."""
