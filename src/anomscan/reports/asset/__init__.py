"""What the view of one asset draws: its lines, thinned where there are very many points, its strips and its marks."""
