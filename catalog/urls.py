"""Pages under ``/w/<workspace>/models/``."""

from django.urls import path

from catalog import views

app_name = "catalog"

urlpatterns = [
    path("", views.model_list, name="list"),
    path("<str:model>/", views.model_detail, name="detail"),
]
