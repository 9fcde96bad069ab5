"""An HTTP server for the pages of `swim_anyio.asgi`, by hypercorn, and who may see them."""
