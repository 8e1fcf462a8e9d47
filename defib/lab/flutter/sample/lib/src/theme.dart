import 'package:flutter/material.dart';

/// Dark, with the green of rising prices.
ThemeData pulseTheme() {
  return ThemeData(colorSchemeSeed: const Color(0xFF1B8A5A), brightness: Brightness.dark);
}
