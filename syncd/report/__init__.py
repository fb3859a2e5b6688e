"""How well the rules were kept, and what people are told: figures, the weekly e-mail, mails, exports."""
