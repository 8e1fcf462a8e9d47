import 'dart:convert';

import 'package:flutter/material.dart';
import 'package:flutter/services.dart';

/// One market, as `assets/markets.json` lists it.
class Market {
  const Market(this.symbol, this.name);

  factory Market.fromJson(Map<String, Object?> json) {
    return Market(json['symbol']! as String, json['name']! as String);
  }

  final String symbol;
  final String name;
}

/// Reads the markets that come with the application.
Future<List<Market>> loadMarkets() async {
  final text = await rootBundle.loadString('assets/markets.json');
  final listed = jsonDecode(text) as List<Object?>;
  return [for (final each in listed) Market.fromJson(each! as Map<String, Object?>)];
}

/// The last price of every market.
class QuoteList extends StatelessWidget {
  const QuoteList({super.key});

  static const String stream = 'wss://stream.data.alpaca.markets/v2/iex';

  @override
  Widget build(BuildContext context) {
    return FutureBuilder<List<Market>>(
      future: loadMarkets(),
      builder: (context, snapshot) {
        final markets = snapshot.data ?? const <Market>[];
        return ListView(children: [for (final market in markets) ListTile(title: Text('${market.symbol} ${market.name}'))]);
      },
    );
  }
}
