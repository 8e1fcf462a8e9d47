import 'package:flutter/material.dart';

import 'src/app.dart';

/// The entry point of the application.
void main() {
  WidgetsFlutterBinding.ensureInitialized();
  runApp(const PulseTrading(title: 'Pulse Trading'));
}
