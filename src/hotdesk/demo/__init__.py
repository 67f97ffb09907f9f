"""The demo: real mails, real workers and a small website, from instruction to answer."""
