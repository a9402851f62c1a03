from cli.conftest import place as place
