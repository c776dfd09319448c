from uuid import UUID as _UUID

class UUID(_UUID):
    def __init__(self, inp: object) -> None: ...
