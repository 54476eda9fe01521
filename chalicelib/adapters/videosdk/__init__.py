"""The wall towards VideoSDK: only here is known how it spells things. All that it says is untrusted."""
