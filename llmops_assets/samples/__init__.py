"""The sample use case: Lumora, an invented maker of smart lamps, with its knowledge, customers and their days."""
