"""Pages under ``/w/<workspace>/models/`` and ``/w/<workspace>/routes/``."""

from django.urls import path

from catalog.views import models, routes

app_name = "catalog"

urlpatterns = [
    path("models/", models.model_list, name="list"),
    path("models/<str:model>/", models.model_detail, name="detail"),
    path("routes/", routes.route_list, name="route_list"),
    path("routes/new/", routes.route_create, name="route_create"),
    path("routes/<uuid:route_id>/edit/", routes.route_edit, name="route_edit"),
    path("routes/<uuid:route_id>/delete/", routes.route_delete, name="route_delete"),
    path("routes/<uuid:route_id>/call/", routes.route_call, name="route_call"),
]
