"""The board's pages."""

from django.urls import path

from tests.convergence.board import views

urlpatterns = [
    path("page/", views.page),
    path("regions/", views.regions),
    path("rows/", views.rows),
    path("up/", views.up),
]
