"""Views, which render resources in responses, one module per resource."""

