"""What the modules beside this one have said."""

said = []
