"""Addresses for load balancers and monitors."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
