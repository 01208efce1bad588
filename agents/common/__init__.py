"""What every kind of training shares: its settings' files, its log, its rewards, and its scores on the validation split."""
