"""Tables and queries; every function takes ``tx`` first."""
