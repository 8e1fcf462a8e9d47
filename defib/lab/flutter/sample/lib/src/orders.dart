import 'package:flutter/material.dart';

/// Where orders go.
const String broker = 'https://api.alpaca.markets/v2/orders';

/// A form for one order.
class OrderForm extends StatefulWidget {
  const OrderForm({super.key});

  @override
  State<OrderForm> createState() => _OrderFormState();
}

class _OrderFormState extends State<OrderForm> {
  int quantity = 1;

  void _more() {
    setState(() => quantity += 1);
  }

  @override
  Widget build(BuildContext context) {
    return Row(children: [Text('Buy $quantity'), IconButton(icon: const Icon(Icons.add), onPressed: _more)]);
  }
}
