"""What comes round: GameDays and reviews, their periods, their issues and their duty."""
