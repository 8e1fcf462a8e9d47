import 'package:flutter/material.dart';

import 'orders.dart';
import 'quotes.dart';
import 'theme.dart';

/// The application: a list of quotes, and a form for orders.
class PulseTrading extends StatelessWidget {
  const PulseTrading({super.key, required this.title});

  final String title;

  @override
  Widget build(BuildContext context) {
    return MaterialApp(
      title: title,
      theme: pulseTheme(),
      home: Scaffold(
        appBar: AppBar(title: Text(title)),
        body: const Column(children: [Expanded(child: QuoteList()), OrderForm()]),
      ),
    );
  }
}
